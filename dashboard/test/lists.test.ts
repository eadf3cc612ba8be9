import { expect, it } from "vitest";
import { progressText, together } from "../src/lib/bulk/bulk-text.ts";
import { shortType } from "../src/lib/query/result-chart.ts";
import { chunksOf } from "../src/lib/runs/bulk.ts";
import { hiddenColumns } from "../src/lib/ui/table.ts";

it("leaves out the columns of a table that matter least, as many as it has to", () => {
  const columns = [
    { label: "Name", width: "minmax(200px,2fr)" },
    { label: "State", width: "100px", drop: 1 },
    { label: "First", width: "84px", drop: 2 },
    { label: "Last", width: "84px" },
  ];
  expect([...hiddenColumns(columns, 600)]).toEqual([]);
  expect([...hiddenColumns(columns, 500)]).toEqual([2]);
  expect([...hiddenColumns(columns, 400)]).toEqual([1, 2]);
  expect([...hiddenColumns(columns, 10)]).toEqual([1, 2]);
});

it("shows bulk actions that were begun together as one", () => {
  const action = (status: "PENDING" | "COMPLETED" | "ABORTED", success: number, failure = 0) => ({
    type: "CANCEL" as const,
    status,
    counts: { total: 1_000, success, failure },
    failures: failure > 0 ? [{ runId: "run_1", error: "It is over" }] : [],
  });
  expect(together([action("COMPLETED", 1_000)], 2)).toBeNull();
  const both = together([action("COMPLETED", 1_000), action("PENDING", 20, 1)], 2);
  expect(both).toMatchObject({ status: "PENDING", failures: [{ runId: "run_1" }] });
  expect(both && progressText(both)).toBe("1,020 of 2,000 runs canceled, 1 failed");
  expect(together([action("COMPLETED", 1_000), action("ABORTED", 20)], 2)?.status).toBe("ABORTED");
});

it("parts a selection that is larger than one bulk action takes", () => {
  expect(chunksOf([1, 2, 3, 4, 5], 2)).toEqual([[1, 2], [3, 4], [5]]);
  expect(chunksOf([], 2)).toEqual([]);
});

it("names the types of a query's columns as people do", () => {
  expect(shortType("LowCardinality(Nullable(String))")).toBe("String");
  expect(shortType("Nullable(DateTime64(3))")).toBe("DateTime");
  expect(shortType("Array(String)")).toBe("Array(String)");
});
