/** `Next in line`, `3rd in line`, `More than 1,000 in line before it`. */
export function placeInLine(position: number): string {
  if (position > 1_000) return "More than 1,000 wait before it";
  if (position === 1) return "Next in line";
  const tens = position % 100;
  const ending = tens >= 11 && tens <= 13 ? "th" : (["th", "st", "nd", "rd"][position % 10] ?? "th");
  return `${position}${ending} in line`;
}
