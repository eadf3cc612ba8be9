import { OPERATION_HEADER } from "@acme/sdk/contract/api";
import { REQUEST_KEY_HEADER } from "../http/request-key.ts";

/** Headers of calls that a run makes as durable operations. */
export const OPERATION = {
  [OPERATION_HEADER]:
    "RUNID.ATTEMPT.NUMBER of the durable operation that the call is made for: sent again, it creates nothing new",
};

/** Header of a call that is safe to send again. */
export const REQUEST = {
  [REQUEST_KEY_HEADER]:
    "Any unique text. The call sent again with the same one, within an hour, gives the same run",
};
