import type { ApiResponse } from "./request.ts";

/** The promise of an API call's result, which also gives access to the raw response. */
export class ApiPromise<T> extends Promise<T> {
  readonly #response: Promise<ApiResponse<unknown>>;

  // `then`, `catch` and `finally` create plain promises, which have no response of their own.
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  constructor(response: Promise<ApiResponse<T>>) {
    super((resolve, reject) => {
      response.then(({ data }) => resolve(data), reject);
    });
    this.#response = response;
  }

  /** The raw response, whose body has been read. */
  asResponse(): Promise<Response> {
    return this.#response.then(({ response }) => response);
  }

  async withResponse(): Promise<{ data: T; response: Response }> {
    const { response } = await this.#response;
    return { data: await this, response };
  }
}
