import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { environmentAccess, localServer, projectAccess } from "../src/access.ts";
import { profilesFile, readProfiles, writeProfiles } from "../src/profiles.ts";
import { announceServer } from "../src/running-server.ts";

const local = {
  apiUrl: "http://127.0.0.1:8787",
  projectRef: "proj_default",
  secretKey: "tr_prod_local",
  devSecretKey: "tr_dev_local",
  accessToken: "tr_pat_local",
};

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "acme-access-"));
  mkdirSync(join(folder, ".acme"));
  writeFileSync(join(folder, ".acme/local.json"), JSON.stringify(local));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** An empty folder of logins, because the logins of the person who runs the tests must not count. */
const noLogin = () => ({ ACME_CONFIG_DIR: join(folder, "config") });

const elsewhere = () => ({ ...noLogin(), ACME_API_URL: "https://acme.example.com/" });

it("takes the environment's variables, Trigger.dev's names too", () => {
  expect(projectAccess({ env: { ...elsewhere(), ACME_ACCESS_TOKEN: "tr_pat_a" }, cwd: folder })).toEqual({
    apiUrl: "https://acme.example.com",
    accessToken: "tr_pat_a",
  });
  const env = { ...noLogin(), TRIGGER_API_URL: "https://t.example.com", TRIGGER_SECRET_KEY: "tr_prod_t" };
  expect(environmentAccess({ environment: "prod", env, cwd: folder })).toEqual({
    apiUrl: "https://t.example.com",
    token: "tr_prod_t",
    kind: "secretKey",
  });
});

it("uses the local server's address and keys by default", () => {
  expect(projectAccess({ env: noLogin(), cwd: folder })).toEqual({
    apiUrl: local.apiUrl,
    accessToken: "tr_pat_local",
  });
  const tokenOf = (environment: string) =>
    environmentAccess({ environment, env: noLogin(), cwd: folder }).token;
  expect([tokenOf("prod"), tokenOf("dev")]).toEqual(["tr_prod_local", "tr_dev_local"]);
  expect(environmentAccess({ environment: "staging", env: noLogin(), cwd: folder })).toMatchObject({
    token: "tr_pat_local",
    kind: "accessToken",
  });
});

describe("logins", () => {
  const work = { email: "ada@example.com", organization: "acme", source: "login" } as const;
  const profiles = {
    current: "remote",
    profiles: {
      remote: { ...work, apiUrl: "https://acme.example.com", accessToken: "tr_pat_remote" },
      here: { ...work, apiUrl: local.apiUrl, accessToken: "tr_pat_here" },
    },
  };
  const elsewhereFolder = () => {
    const empty = join(folder, "empty");
    mkdirSync(join(empty, ".acme"), { recursive: true });
    // A damaged file counts as no server: the checkout's own, which may be running, is not looked for.
    writeFileSync(join(empty, ".acme/local.json"), "{}");
    return empty;
  };

  it("are kept in a file that only its owner reads", () => {
    const env = noLogin();
    writeProfiles(profiles, env);
    expect(statSync(profilesFile(env)).mode & 0o777).toBe(0o600);
    expect(statSync(dirname(profilesFile(env))).mode & 0o777).toBe(0o700);
    chmodSync(profilesFile(env), 0o644);
    writeProfiles(profiles, env);
    expect(statSync(profilesFile(env)).mode & 0o777).toBe(0o600);
    expect(readProfiles(env)).toEqual(profiles);
    writeFileSync(profilesFile(env), "{");
    expect(() => readProfiles(env)).toThrow("is damaged");
  });

  it("are used after the environment's variables and the server that was started here", () => {
    const env = noLogin();
    writeProfiles(profiles, env);
    announceServer(join(folder, ".acme/local.json"), env);
    const cwd = elsewhereFolder();
    expect(projectAccess({ env, cwd }).accessToken).toBe("tr_pat_remote");
    expect(environmentAccess({ environment: "prod", env, cwd })).toEqual({
      apiUrl: "https://acme.example.com",
      token: "tr_pat_remote",
      kind: "accessToken",
    });
    expect(projectAccess({ env, cwd: folder }).accessToken).toBe("tr_pat_local");
    expect(projectAccess({ env: { ...env, ACME_ACCESS_TOKEN: "tr_pat_a" }, cwd }).accessToken).toBe(
      "tr_pat_a",
    );
    expect(projectAccess({ env: { ...env, ACME_PROFILE: "remote" }, cwd: folder }).accessToken).toBe(
      "tr_pat_remote",
    );
    expect(projectAccess({ env: { ...env, ACME_PROFILE: "here" }, cwd: folder }).accessToken).toBe(
      "tr_pat_here",
    );
    expect(() => projectAccess({ env: { ...env, ACME_PROFILE: "no" }, cwd })).toThrow(
      'There is no profile "no". Profiles: remote, here.',
    );
  });

  it("are never sent to another server", () => {
    const env = noLogin();
    writeProfiles(profiles, env);
    const cwd = elsewhereFolder();
    for (const sources of [
      { env: { ...env, ACME_API_URL: "https://other.example.com" }, cwd },
      { env, cwd, apiUrl: "https://other.example.com" },
      { env: { ...env, ACME_PROFILE: "remote" }, cwd: folder, apiUrl: "https://other.example.com" },
    ]) {
      expect(() => projectAccess(sources)).toThrow("not logged in at https://other.example.com");
      expect(() => environmentAccess({ ...sources, environment: "prod" })).toThrow("acme login");
    }
  });
});

it("never sends the local server's keys elsewhere", () => {
  expect(() => projectAccess({ env: elsewhere(), cwd: folder })).toThrow("set ACME_ACCESS_TOKEN");
  expect(() => environmentAccess({ environment: "prod", env: elsewhere(), cwd: folder })).toThrow(
    "set ACME_SECRET_KEY",
  );
});

it("finds the server that runs on this machine in every folder, where nobody is logged in, until it stops", () => {
  const env = noLogin();
  const cwd = join(folder, "another");
  mkdirSync(join(cwd, ".acme"), { recursive: true });
  // A damaged file counts as no server: the checkout's own, which may be running, is not looked for.
  writeFileSync(join(cwd, ".acme/local.json"), "{}");
  const conceal = announceServer(join(folder, ".acme/local.json"), env);
  expect(projectAccess({ env, cwd })).toEqual({ apiUrl: local.apiUrl, accessToken: "tr_pat_local" });
  expect(environmentAccess({ environment: "dev", env, cwd }).token).toBe("tr_dev_local");
  expect(localServer(cwd, env)?.projectRef).toBe("proj_default");
  expect(() => projectAccess({ env, cwd, apiUrl: "https://acme.example.com" })).toThrow("not logged in");

  const later = announceServer(join(folder, "later/local.json"), env);
  conceal();
  expect(readFileSync(join(folder, "config/server.json"), "utf8")).toContain("later");
  later();
  // One that was killed.
  const { pid } = spawnSync(process.execPath, ["--version"]);
  const killed = { localFile: join(folder, ".acme/local.json"), pid };
  writeFileSync(join(folder, "config/server.json"), JSON.stringify(killed));
  expect(() => projectAccess({ env, cwd })).toThrow("start a server with `acme up`");
});

it('takes a branch of `dev` from the variables, where "default" is none', () => {
  const token = (branch: string) =>
    environmentAccess({ environment: "dev", env: { ...noLogin(), TRIGGER_DEV_BRANCH: branch }, cwd: folder })
      .token;
  expect([token("default"), token("feat/search")]).toEqual(["tr_dev_local", "tr_pat_local"]);
});

it("refuses an invalid address", () => {
  for (const ACME_API_URL of ["nonsense", "ftp://x", "file:///etc/passwd"]) {
    expect(() => projectAccess({ env: { ...noLogin(), ACME_API_URL }, cwd: folder })).toThrow(
      "is not the address of a server",
    );
  }
});
