import { shown, TokenReader } from "./token-reader.ts";

const TYPES = new Set(
  `String Bool Date Date32 DateTime DateTime64 Decimal UUID Int8 Int16 Int32 Int64 UInt8 UInt16 UInt32 UInt64 Float32 Float64
   Nullable Array LowCardinality Tuple Map`.split(/\s+/),
);

/** Parses the name of a type, such as `Nullable(String)`. */
export function parseType(tokens: TokenReader): string {
  return tokens.deeper(() => {
    const token = tokens.next;
    const name = [...TYPES].find((type) => type.toLowerCase() === token.text.toLowerCase());
    if (token.kind !== "word" || name === undefined) {
      throw tokens.problem(`${shown(token)} is not a type that can be used here`);
    }
    tokens.advance();
    if (!tokens.takeSymbol("(")) return name;
    const args = tokens.list(() => {
      const argument = tokens.next;
      if (argument.kind === "number" && /^\d{1,3}$/.test(argument.text)) {
        tokens.advance();
        return argument.text;
      }
      if (argument.kind === "string" && /^[A-Za-z_+\-/0-9]{1,64}$/.test(argument.text)) {
        tokens.advance();
        return `'${argument.text}'`;
      }
      return parseType(tokens);
    });
    tokens.expectSymbol(")");
    return `${name}(${args.join(", ")})`;
  });
}

/** Parses the name of a type in quotes, as in `CAST(x, 'String')`. */
export function parseTypeInString(tokens: TokenReader): string {
  const token = tokens.next;
  if (token.kind !== "string") throw tokens.problem("The name of a type in quotes is expected here");
  tokens.advance();
  try {
    const inner = new TokenReader(token.text);
    const type = parseType(inner);
    if (inner.next.kind === "end") return type;
  } catch {
    // Reported below, with the position in this query.
  }
  throw tokens.problemAt(token.offset, `${JSON.stringify(token.text)} is not a type that can be used here`);
}
