import { describe, expect, it } from "vitest";
import { deviceOf, isPhone } from "../src/lib/account/device.ts";
import { problemOf } from "../src/lib/account/sign-in-problem.ts";
import { passkeySupport } from "../src/lib/account/webauthn.ts";

describe("what the sign-in page says", () => {
  it("knows the server's codes, and never shows a text of the address", () => {
    expect(problemOf(null)).toBeNull();
    expect(problemOf("INVALID_TOKEN")).toMatch(/expired or was used before/);
    expect(problemOf("account_not_linked")).toMatch(/Sign in with a link first/);
    expect(problemOf("Call +1 555 0100 <b>now</b>")).toBe(
      "The sign-in failed. Try again, or sign in another way.",
    );
    expect(problemOf("constructor")).toBe("The sign-in failed. Try again, or sign in another way.");
  });
});

describe("devices", () => {
  const CHROME =
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0 Safari/537.36";
  it.each([
    [CHROME, "Chrome on macOS"],
    [`${CHROME} Edg/156.0`, "Edge on macOS"],
    [
      "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605 Version/19.0 Mobile/15E148 Safari/604.1",
      "Safari on iPhone",
    ],
    ["Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0", "Firefox on Linux"],
    [
      "Mozilla/5.0 (Linux; Android 16; Pixel 9) AppleWebKit/537.36 Chrome/156.0 Mobile Safari/537.36",
      "Chrome on Android",
    ],
    ["curl/8.5.0", "curl"],
    ["", "Unknown device"],
  ])("%s is %s", (userAgent, device) => {
    expect(deviceOf(userAgent)).toBe(device);
  });

  it("may be phones", () => {
    expect(isPhone(CHROME)).toBe(false);
    expect(isPhone("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0)")).toBe(true);
  });
});

it("browsers make no passkeys for IP addresses", () => {
  expect(passkeySupport("127.0.0.1")).toBe("address");
  expect(passkeySupport("[::1]")).toBe("address");
  expect(passkeySupport("acme.example")).toBe("browser");
});
