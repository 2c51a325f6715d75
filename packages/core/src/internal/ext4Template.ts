/**
 * Fresh ext4 images without a run of mke2fs for each: the blocks that mke2fs wrote into one, copied into another of the same size,
 * with the root directory given to another owner. Refuses images whose layout is not the one that loopVolume asks for.
 */
import * as fs from "node:fs"

/** A freshly formatted image: what is not listed is zero. */
export interface Template {
  readonly bytes: number
  readonly blocks: ReadonlyArray<{ readonly offset: number; readonly data: Buffer }>
  /** Where the root directory's inode lies. */
  readonly rootOffset: number
  readonly uuid: Buffer
}

/** Offsets and values: Linux Documentation/filesystems/ext4 (super, group_descr, inodes, ifork, checksums). */
const blockBytes = 4096
const inodeBytes = 256
const descriptorBytes = 64
const superOffset = 1024
const rootInode = 2
const magic = 0xef53
const extentMagic = 0xf30a
/** FEATURE_INCOMPAT_CSUM_SEED: checksums would begin with a stored seed, and not with the UUID. */
const incompatChecksumSeed = 0x2000

/** Reads what mke2fs has written, metadata by metadata: reading an image from end to end takes seconds where it is sparse. */
export const read = (image: string): Template => {
  const file = fs.openSync(image, "r")
  try {
    return readFrom(file)
  } finally {
    fs.closeSync(file)
  }
}

const readFrom = (file: number): Template => {
  const block = (index: number, count = 1) => {
    const data = Buffer.alloc(count * blockBytes)
    if (fs.readSync(file, data, 0, data.length, index * blockBytes) !== data.length) throw new Error("a short image")
    return data
  }
  const layout = layoutOf(block(0).subarray(superOffset))
  const { groups, blocksPerGroup, descriptorBlocks } = layout
  const descriptors = block(1, descriptorBlocks)
  const at = (group: number, field: number) => {
    const offset = group * descriptorBytes + field
    return descriptors.readUInt32LE(offset) + descriptors.readUInt32LE(offset + 0x20) * 2 ** 32
  }
  const table = at(0, 0x8)
  const wanted = new Set([table, rootBlock(block(table).subarray((rootInode - 1) * inodeBytes))])
  for (let group = 0; group < groups; group += 1) {
    wanted.add(at(group, 0)).add(at(group, 0x4))
    if (!hasCopy(group)) continue
    for (let copy = 0; copy <= descriptorBlocks; copy += 1) wanted.add(group * blocksPerGroup + copy)
  }
  const blocks = [...wanted]
    .map((index) => ({ offset: index * blockBytes, data: block(index) }))
    .filter(({ data }) => data.some((byte) => byte !== 0))
  const { uuid, bytes } = layout
  return { bytes, blocks, uuid, rootOffset: table * blockBytes + (rootInode - 1) * inodeBytes }
}

const layoutOf = (superblock: Buffer) => {
  const isOurs =
    superblock.readUInt16LE(0x38) === magic &&
    superblock.readUInt32LE(0x18) === 2 &&
    superblock.readUInt16LE(0x58) === inodeBytes &&
    superblock.readUInt16LE(0xfe) === descriptorBytes &&
    (superblock.readUInt32LE(0x60) & incompatChecksumSeed) === 0
  if (!isOurs) throw new Error("a layout of ext4 that is not known here")
  const count = superblock.readUInt32LE(0x4) + superblock.readUInt32LE(0x150) * 2 ** 32
  const blocksPerGroup = superblock.readUInt32LE(0x20)
  const groups = Math.ceil(count / blocksPerGroup)
  const descriptorBlocks = Math.ceil((groups * descriptorBytes) / blockBytes)
  const uuid = Buffer.from(superblock.subarray(0x68, 0x78))
  return { bytes: count * blockBytes, groups, blocksPerGroup, descriptorBlocks, uuid }
}

/** Feature sparse_super: superblock and descriptors again in group 1 and in the powers of 3, 5 and 7. */
const hasCopy = (group: number) => group <= 1 || [3, 5, 7].some((base) => isPower(group, base))

const isPower = (value: number, base: number) => {
  let power = base
  while (power < value) power *= base
  return power === value
}

/** The one block of an empty directory, by its inode's first extent. */
const rootBlock = (inode: Buffer): number => {
  if (inode.readUInt16LE(0x28) !== extentMagic || inode.readUInt16LE(0x2e) !== 0) {
    throw new Error("a root directory that is not held by one extent")
  }
  return inode.readUInt16LE(0x3a) * 2 ** 32 + inode.readUInt32LE(0x3c)
}

/** Writes a new image at the path, sparse, readable by root only. What stood there is lost. */
export const write = (
  { bytes, blocks, rootOffset, uuid }: Template,
  image: string,
  root: { readonly uid: number; readonly atSeconds: number }
): void => {
  const file = fs.openSync(image, "w", 0o600)
  try {
    fs.ftruncateSync(file, bytes)
    for (const { offset, data } of blocks) {
      const holdsRoot = offset <= rootOffset && rootOffset < offset + data.length
      const content = holdsRoot ? withRoot(data, rootOffset - offset, uuid, root) : data
      if (fs.writeSync(file, content, 0, content.length, offset) !== content.length) throw new Error("a short write")
    }
  } finally {
    fs.closeSync(file)
  }
}

const withRoot = (
  block: Buffer,
  offset: number,
  uuid: Buffer,
  { uid, atSeconds }: { readonly uid: number; readonly atSeconds: number }
): Buffer => {
  const copy = Buffer.from(block)
  const inode = copy.subarray(offset, offset + inodeBytes)
  for (const [low, high] of [
    [0x2, 0x78],
    [0x18, 0x7a]
  ] as const) {
    inode.writeUInt16LE(uid & 0xffff, low)
    inode.writeUInt16LE(uid >>> 16, high)
  }
  // Access, change, modification and creation; 2 bits of the nanoseconds' word carry the seconds past 2038.
  for (const [seconds, extra] of [
    [0x8, 0x8c],
    [0xc, 0x84],
    [0x10, 0x88],
    [0x90, 0x94]
  ] as const) {
    inode.writeUInt32LE(atSeconds % 2 ** 32, seconds)
    inode.writeUInt32LE(Math.floor((atSeconds + 2 ** 31) / 2 ** 32), extra)
  }
  inode.writeUInt16LE(0, 0x7c)
  inode.writeUInt16LE(0, 0x82)
  const number = Buffer.alloc(4)
  number.writeUInt32LE(rootInode)
  const checksum = [uuid, number, inode.subarray(0x64, 0x68), inode].reduce(crc32c, 0xffff_ffff)
  inode.writeUInt16LE(checksum & 0xffff, 0x7c)
  inode.writeUInt16LE(checksum >>> 16, 0x82)
  return copy
}

/** Castagnoli's polynomial, reflected; continues from `seed`, and is not inverted at the end, as the kernel uses it. */
const crc32c = (seed: number, bytes: Buffer): number => {
  let crc = seed
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f6_3b78 : 0)
  }
  return crc >>> 0
}
