/**
 * Where a bundle lies in the blob store. Bundles are kept by organization: one that another organization uploaded can't be
 * deployed by whoever knows its hash.
 */
export const bundleKey = (organizationId: string, contentHash: string): string =>
  `bundles/${organizationId}/${contentHash}`;

/** Where deployments of before that have their bundles: only a deployment that exists leads there. */
export const formerBundleKey = (contentHash: string): string => `bundles/${contentHash}`;
