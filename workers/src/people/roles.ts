import { ROLES, type Role } from "@acme/sdk/contract/api";

/** Whether a role may do what takes `least`. */
export const mayAs = (role: Role, least: Role): boolean => ROLES.indexOf(role) >= ROLES.indexOf(least);
