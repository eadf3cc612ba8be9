import { expect, it } from "vitest";
import { parseTraceparent } from "../src/contract/trace-context.ts";

const traceId = "ab".repeat(16);
const first = `00-${traceId}-${"1".repeat(16)}-01`;
const last = `00-${traceId}-${"2".repeat(16)}-01`;

it.each([
  [first, { traceId, spanId: "1".repeat(16) }],
  // As Deno's `fetch` sends it if the SDK has already set it.
  [`${first}, ${last}`, { traceId, spanId: "2".repeat(16) }],
  [`${first}-more`, { traceId, spanId: "1".repeat(16) }],
  [`ff${first.slice(2)}`, null],
  [`${first}, nothing`, null],
  [`00-${"0".repeat(32)}-${"1".repeat(16)}-01`, null],
  ["", null],
  [undefined, null],
])("reads the traceparent %j", (header, context) => {
  expect(parseTraceparent(header)).toEqual(context);
});
