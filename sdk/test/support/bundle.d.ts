export declare const folder: () => string;
export declare const source: (path: string) => string;
/** Bundles a fixture as the CLI bundles a project: with a copy of the SDK of its own. Returns the bundle's path. */
export declare function bundleFixture(file: string): Promise<string>;
