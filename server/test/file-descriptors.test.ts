import { expect, it } from "vitest";
import { mostSockets, openFilesLimit } from "../src/file-descriptors.ts";

it("reserves file descriptors for databases and requests", () => {
  expect(mostSockets(1_024)).toBe(256);
  expect(mostSockets(20_000)).toBe(7_952);
  expect(mostSockets(65_536)).toBe(30_720);
  expect(mostSockets(null)).toBeNull();
});

it("knows the limit of the processes that it starts", () => {
  const limit = openFilesLimit();
  expect(limit === null || limit >= 256).toBe(true);
});
