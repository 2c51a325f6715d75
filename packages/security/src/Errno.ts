/**
 * Error numbers that boundary checks tell apart, and the texts by which shells report them.
 * Numbers are those of asm-generic/errno.h, equal on x86_64 and aarch64. Refuses to guess: an unknown text has no number.
 */
const numbers = {
  EPERM: 1,
  ENOENT: 2,
  ESRCH: 3,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EFAULT: 14,
  EBUSY: 16,
  EEXIST: 17,
  ENODEV: 19,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  EMFILE: 24,
  ENOSPC: 28,
  EROFS: 30,
  ENOSYS: 38,
  EPROTONOSUPPORT: 93,
  ESOCKTNOSUPPORT: 94,
  EOPNOTSUPP: 95,
  EAFNOSUPPORT: 97,
  EADDRNOTAVAIL: 99,
  ENETUNREACH: 101,
  ECONNREFUSED: 111,
  EHOSTUNREACH: 113,
  EINPROGRESS: 115,
  ENOKEY: 126
} as const

export type ErrnoName = keyof typeof numbers

const names = new Map<number, string>(Object.entries(numbers).map(([name, value]) => [value, name]))

/** The number of a name. */
export const numberOf = (name: ErrnoName): number => numbers[name]

/** `EPERM` for 1; `errno 1234` for what is not listed here. */
export const nameOf = (errno: number): string => names.get(errno) ?? `errno ${errno}`

/** glibc, musl and busybox wordings in the C locale; busybox ash shortens ENOENT to `no such file` and `nonexistent directory`. */
const texts: ReadonlyArray<readonly [string, ErrnoName]> = [
  ["operation not permitted", "EPERM"],
  ["permission denied", "EACCES"],
  ["no such file", "ENOENT"],
  ["nonexistent directory", "ENOENT"],
  ["no such process", "ESRCH"],
  ["read-only file system", "EROFS"],
  ["input/output error", "EIO"],
  ["i/o error", "EIO"],
  ["is a directory", "EISDIR"],
  ["directory nonexistent", "ENOENT"],
  ["not a directory", "ENOTDIR"],
  ["no such device or address", "ENXIO"],
  ["file exists", "EEXIST"],
  ["invalid argument", "EINVAL"],
  ["no space left on device", "ENOSPC"]
]

/** The error that a shell's message ends in, or undefined when it is none of the known ones. */
export const ofText = (message: string): number | undefined => {
  const lower = message.toLowerCase()
  const hit = texts.find(([text]) => lower.includes(text))
  return hit === undefined ? undefined : numbers[hit[1]]
}
