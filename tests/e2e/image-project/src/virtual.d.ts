declare module "virtual:greeting" {
  export const greeting: string;
}
