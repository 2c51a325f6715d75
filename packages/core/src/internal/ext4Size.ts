/**
 * How large an ext4 image must be so that a user can write `limitBytes` into it, and how little more.
 * Mirrors mke2fs(8) without journal and resize inode, and the kernel's reserve (fs/ext4/super.c, ext4_calculate_overhead and s_resv_clusters).
 */

/** Bytes per block; all of an image's counts are in blocks. */
const blockBytes = 4096
const blocksPerGroup = 32_768
const inodeBytes = 256
const inodesPerGroup = 32_768
const descriptorBytes = 64
/** Inodes 1 to 10 belong to the file system itself. */
const reservedInodes = 10
/** mke2fs drops a last group that has fewer blocks than its own metadata plus 50. */
const minimumLastGroup = 50
/** The kernel keeps back 2 %, at most 4096 blocks, so that a full file system can still write metadata. */
const keptBack = (blocks: number) => Math.min(Math.floor(blocks / 50), 4096)

/** Value for mke2fs -N that leaves `inodes` to the user. */
export const inodeCount = (inodes: number) => inodes + reservedInodes

/** Image size in bytes: the user gets at least `limitBytes`, and at most one group's rounding more. */
export const imageBytes = (limitBytes: number, inodes: number): number => {
  const wanted = Math.ceil(limitBytes / blockBytes)
  // Grows by a fiftieth of what it grew before: converges in a few rounds.
  let blocks = wanted
  for (;;) {
    const needed = withUsableLastGroup(wanted + overhead(blocks, inodes) + 1 + keptBack(blocks), inodes)
    if (needed <= blocks) return blocks * blockBytes
    blocks = needed
  }
}

/** One bitmap block limits a group to 32768 inodes: many inodes on little space make more and smaller groups. */
const groupsOf = (blocks: number, inodes: number) =>
  Math.max(Math.ceil(blocks / blocksPerGroup), Math.ceil(inodeCount(inodes) / inodesPerGroup))

const tableBlocks = (groups: number, inodes: number) =>
  Math.ceil((Math.ceil(inodeCount(inodes) / groups) * inodeBytes) / blockBytes)

/** Copies of superblock and descriptors live in groups 0, 1 and the powers of 3, 5 and 7 (feature sparse_super). */
const copies = (groups: number) => {
  const powers = [3, 5, 7].reduce((count, base) => {
    let found = 0
    for (let group = base; group < groups; group *= base) found += 1
    return count + found
  }, 0)
  return Math.min(groups, 2) + powers
}

const overhead = (blocks: number, inodes: number) => {
  const groups = groupsOf(blocks, inodes)
  const descriptors = Math.ceil((groups * descriptorBytes) / blockBytes)
  return groups * (2 + tableBlocks(groups, inodes)) + copies(groups) * (1 + descriptors)
}

const withUsableLastGroup = (blocks: number, inodes: number) => {
  const rest = blocks % blocksPerGroup
  const groups = groupsOf(blocks, inodes)
  const least =
    minimumLastGroup + 2 + tableBlocks(groups, inodes) + 1 + Math.ceil((groups * descriptorBytes) / blockBytes)
  return rest > 0 && rest < least ? blocks + least - rest : blocks
}
