import { LEAST_ROLE, mayAs, type OperationOfRole, type Role } from "@acme/sdk/contract/api";
import type { ACCESS, OperationId } from "../auth/access.ts";
import { Failure } from "../http/failure.ts";

/** Operations whose permission depends on the role in the organization. */
export type OfEnvironment = {
  [Id in OperationId]: (typeof ACCESS)[Id]["credential"] extends
    | "secretKey"
    | "accessToken"
    | "environment"
    | "member"
    | "project"
    ? Id
    : never;
}[OperationId];

/** An operation that the table of roles does not have, or has although it depends on no role, is a compile error here. */
const LEAST: Readonly<Record<OfEnvironment, Role> & Record<Exclude<OperationOfRole, OfEnvironment>, never>> =
  LEAST_ROLE;

/** Returns whether the role decides who may do the operation. */
export const isOfEnvironment = (operation: OperationId): operation is OfEnvironment => operation in LEAST;

/** Throws a 403 if a member's role does not allow an operation. */
export function requireRole(role: Role, operation: OperationId): void {
  const least = isOfEnvironment(operation) ? LEAST[operation] : undefined;
  if (least !== undefined && mayAs(role, least)) return;
  throw new Failure(
    403,
    "role_not_allowed",
    `Your role in this organization is ${role}; this takes ${least === undefined ? "a key" : least}. Ask an admin or owner of the organization. Nothing was changed.`,
  );
}
