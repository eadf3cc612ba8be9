/**
 * Returns the key of a bundle in the blob store. Bundles are kept by organization, so that knowing the hash
 * of another organization's bundle is not enough to deploy it.
 */
export const bundleKey = (organizationId: string, contentHash: string): string =>
  `bundles/${organizationId}/${contentHash}`;

/** The former location, without the organization. Only existing deployments refer to it. */
export const formerBundleKey = (contentHash: string): string => `bundles/${contentHash}`;
