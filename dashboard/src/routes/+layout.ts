/** The app runs in the browser only: its files are static, and one page serves every address. */
export const ssr = false;
export const prerender = false;
