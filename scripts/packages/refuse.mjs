// A workspace contains TypeScript sources; the published package is built from it.
process.stderr.write("Publish the built packages: npm run packages, then npm run release.\n");
process.exit(1);
