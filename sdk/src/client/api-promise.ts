import type { ApiResponse } from "./request.ts";

/** The promise of an API call's result that can also give the raw response. */
export class ApiPromise<T> extends Promise<T> {
  readonly #response: Promise<ApiResponse<unknown>>;

  // `then` and its kin make plain promises: they have no response of their own.
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  constructor(response: Promise<ApiResponse<T>>) {
    super((resolve, reject) => {
      response.then(({ data }) => resolve(data), reject);
    });
    this.#response = response;
  }

  /** The raw response; its body has been read. */
  asResponse(): Promise<Response> {
    return this.#response.then(({ response }) => response);
  }

  async withResponse(): Promise<{ data: T; response: Response }> {
    const { response } = await this.#response;
    return { data: await this, response };
  }
}
