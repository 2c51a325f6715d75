/** How measured quantities read: three digits or so, decimal prefixes (1 MB is 1,000,000 bytes). */
const prefixes = ["", "k", "M", "G", "T"] as const

export const bytes = (value: number): string => {
  let scaled = value
  let index = 0
  while (scaled >= 999.5 && index < prefixes.length - 1) {
    scaled /= 1000
    index++
  }
  const digits = index === 0 || scaled >= 99.95 ? 0 : 1
  return `${scaled.toFixed(digits)} ${prefixes[index] ?? ""}B`
}

export const bytesPerSecond = (value: number): string => `${bytes(value)}/s`

export const cores = (value: number): string => value.toFixed(2)

export const percent = (value: number): string => `${value.toFixed(0)} %`

export const count = (value: number): string => String(Math.round(value))
