/** Does something for each id, a few at a time. Returns how many succeeded, and the first failure. */
export async function forEach(
  ids: readonly string[],
  action: (id: string) => Promise<unknown>,
  atOnce = 6,
): Promise<{ done: number; failed: number; firstError: unknown }> {
  let done = 0;
  let failed = 0;
  let firstError: unknown;
  let next = 0;
  const worker = async () => {
    while (next < ids.length) {
      const id = ids[next++]!;
      try {
        await action(id);
        done += 1;
      } catch (error) {
        failed += 1;
        firstError ??= error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, ids.length) }, worker));
  return { done, failed, firstError };
}
