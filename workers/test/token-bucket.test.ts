import { describe, expect, it } from "vitest";
import { TokenBucket } from "../src/http/token-bucket.ts";

const limit = { burst: 100, perSecond: 10 };
const NOON = 1_700_000_000_000;

describe("TokenBucket", () => {
  it("is full at first, and gives no more than it has", () => {
    const bucket = new TokenBucket();
    expect(bucket.take(60, limit, NOON)).toMatchObject({ granted: 60, remaining: 40, retryAfterMs: 0 });
    expect(bucket.take(60, limit, NOON)).toMatchObject({ granted: 40, remaining: 0, fullAfterMs: 10_000 });
    expect(bucket.take(1, limit, NOON)).toMatchObject({ granted: 0, retryAfterMs: 100 });
  });

  it("fills up with time, to the burst and no further", () => {
    const bucket = new TokenBucket();
    bucket.take(100, limit, NOON);
    expect(bucket.take(100, limit, NOON + 1_500)).toMatchObject({ granted: 15 });
    expect(bucket.take(200, limit, NOON + 3_600_000)).toMatchObject({ granted: 100 });
  });

  it("loses nothing when the clock is set back", () => {
    const bucket = new TokenBucket();
    bucket.take(50, limit, NOON);
    expect(bucket.take(10, limit, NOON - 3_600_000)).toMatchObject({ granted: 10, remaining: 40 });
    expect(bucket.take(1, limit, NOON - 3_599_000)).toMatchObject({ granted: 1, remaining: 49 });
  });
});
