/** Reading view state out of the URL. What is not understood is left out: anyone can write a URL. */

export function text(value: unknown): string | undefined {
  if (typeof value === 'number') return String(value)
  return typeof value === 'string' && value !== '' ? value : undefined
}

export function oneOf<T extends string>(value: unknown, known: readonly T[]): T | undefined {
  return known.find((each) => each === value)
}

export function flag(value: unknown): true | undefined {
  return value === true || value === 'true' ? true : undefined
}
