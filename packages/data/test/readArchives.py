"""Reads each archive named in the arguments with the standard library and prints one JSON line of what it found."""
import gzip
import json
import os
import stat
import sys
import tarfile
import zipfile

KINDS = {
    tarfile.REGTYPE: "file", tarfile.GNUTYPE_SPARSE: "file", tarfile.LNKTYPE: "hardlink", tarfile.SYMTYPE: "symlink",
    tarfile.CHRTYPE: "character", tarfile.BLKTYPE: "block", tarfile.DIRTYPE: "directory", tarfile.FIFOTYPE: "fifo",
}
FORMATS = {
    stat.S_IFREG: "file", stat.S_IFLNK: "symlink", stat.S_IFDIR: "directory", stat.S_IFIFO: "fifo",
    stat.S_IFCHR: "character", stat.S_IFBLK: "block",
}


def tar_entries(path, claims):
    with tarfile.open(path, encoding="utf-8", errors="surrogateescape") as archive:
        for entry in archive:
            name = entry.name.encode("utf-8", "surrogateescape")
            claims.append([name.hex(), KINDS[entry.type], entry.size, entry.mode, entry.linkname])
        for entry in archive.getmembers():
            if entry.isreg() and not entry.issparse() and entry.size < 2**30:
                stream = archive.extractfile(entry)
                while stream.read(2**20):
                    pass
    if path.endswith(".gz"):
        with gzip.open(path) as stream:
            while stream.read(2**20):
                pass


def zip_entries(path, claims):
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            name = entry.orig_filename.encode("utf-8" if entry.flag_bits & 0x800 else "cp437")
            mode = entry.external_attr >> 16
            kind = FORMATS[stat.S_IFMT(mode)]
            target = archive.read(entry).decode() if kind == "symlink" else ""
            size = 0 if kind == "symlink" else entry.file_size
            claims.append([name.rstrip(b"/").hex(), kind, size, stat.S_IMODE(mode), target])
        for entry in archive.infolist()[:10]:
            with archive.open(entry) as stream:
                while stream.read(2**20):
                    pass


for path in sys.argv[1:]:
    claims, error = [], ""
    try:
        (zip_entries if path.endswith(".zip") else tar_entries)(path, claims)
    except Exception as caught:
        error = type(caught).__name__ + ": " + str(caught)
    print(json.dumps([os.path.basename(path), claims, error]))
