import { createHash } from "node:crypto";
import { randomBase36 } from "@acme/sdk/contract";
import type { BootstrapInput, Bootstrapped, Repository } from "../../src/storage/repository.ts";

export const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/** What sets up an organization of its own, so that tests share a database and nothing in it. */
export function accountInput(): BootstrapInput {
  const unique = randomBase36(10);
  return {
    organization: { slug: `org-${unique}`, name: "Wile E. Coyote" },
    project: { ref: `proj_${unique}`, name: "Road" },
    keyHashes: { prod: sha256(`tr_prod_${unique}`), dev: sha256(`tr_dev_${unique}`) },
    accessTokenHash: sha256(`tr_pat_${unique}`),
  };
}

export interface Account extends Bootstrapped {
  input: BootstrapInput;
  /** Environment keys. */
  prod: string;
  dev: string;
}

export async function anAccount(repository: Repository): Promise<Account> {
  const input = accountInput();
  const created = await repository.bootstrap(input);
  if ("conflict" in created) throw new Error(created.conflict);
  const [dev, prod] = created.environments;
  if (dev?.slug !== "dev" || prod?.slug !== "prod") throw new Error("The environments are not dev and prod");
  return { ...created, input, prod: prod.key, dev: dev.key };
}
