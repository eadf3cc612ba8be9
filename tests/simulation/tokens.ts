import type { WaitpointOwnerRpc } from "@acme/durable-objects/rpc";
import type { Scene } from "./scene.ts";

export const tokenObject = (scene: Scene, id: string) =>
  scene.platform.stub<WaitpointOwnerRpc>("WAITPOINT", id);

/**
 * Creates or finds a token, and makes an outside caller complete it: in time, too late, or never. May be
 * called again.
 */
export async function createToken(scene: Scene, id: string, environmentKey: string): Promise<void> {
  const { world } = scene;
  const isNew = !scene.tokens.has(id);
  scene.tokens.set(id, environmentKey);
  const token = {
    id,
    environmentKey,
    timeoutAt: Date.now() + world.between(5_000, 200_000),
    idempotencyKey: null,
    idempotencyKeyExpiresAt: null,
    tags: [],
  };
  await scene.persist(() => tokenObject(scene, id).createToken(token));
  if (!isNew || world.chance(0.1)) return;
  scene.client(async () => {
    const times = world.chance(0.2) ? 2 : 1;
    for (let time = 0; time < times; time++) {
      await world.sleep(world.between(0, 100_000));
      const output = { data: JSON.stringify(scene.unique()), dataType: "application/json", isError: false };
      await scene.persist(() => tokenObject(scene, id).completeToken(environmentKey, output));
    }
  });
}
