import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { greeting } from "virtual:greeting";
import { task } from "@acme/sdk";
import { crc32 } from "@node-rs/crc32";

/**
 * Returns what is in the image: a Debian package, a native addon, a file, a variable, and what a plugin added
 * to the bundle.
 */
export const inside = task({
  id: "inside",
  run: async () => ({
    program: execFileSync("/usr/games/cowsay", ["moo"], { encoding: "utf8" }),
    addon: crc32("acme"),
    file: readFileSync("assets/note.txt", "utf8").trim(),
    variable: process.env.SYNCED,
    greeting,
    version: process.env.EDITION ?? "first",
  }),
});
