import type { z } from "zod";
import type { OperationId } from "../auth/access.ts";

/** A route of the API. */
export interface Operation {
  /**
   * Name of the function in generated clients, which must not change. `ACCESS` lists the route's credentials
   * under this name.
   */
  id: OperationId;
  summary: string;
  body?: z.ZodType;
  /** True: the body may be left out, which is the same as `{}`. */
  optionalBody?: boolean;
  query?: z.ZodObject;
  response?: z.ZodType;
  status?: number;
  headers?: Record<string, string>;
  /** Content type of a body that is not one JSON value. */
  bodyType?: string;
  /** Content type of a body that has no schema. */
  bytes?: string;
  /** Content type of a response that has no schema. */
  download?: string;
}

/** Operations by path and method. */
export type Operations = Record<string, Record<string, Operation>>;
