/**
 * Tells alerts to an HTTP server: a POST of the notice as JSON; any status of 2xx takes it. Refuses an address that
 * is not http(s) or holds a user or password. Errors name the origin only, since paths and queries of webhooks are often secret.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { FetchHttpClient, HttpClient, HttpClientRequest } from "effect/http"
import { toJson } from "./AlertNotice.ts"
import type { AlertReceiver } from "./AlertReceiver.ts"

export interface WebhookOptions {
  /** See {@link AlertReceiver.name}. */
  readonly name: string
  readonly url: string
  /** Added to each request, e.g. an authorization. */
  readonly headers?: Readonly<Record<string, string>>
}

/** The address is no http(s) URL, or has a user or password: fetch sends nothing there. Not repeated here: it may hold a secret. */
export class InvalidWebhook extends Schema.TaggedError<InvalidWebhook>()("InvalidWebhook", { name: Schema.String }) {
  override get message() {
    return `Could not use the webhook ${this.name}: its address is not a URL with http or https, or it holds a user or password.\nGive one, e.g. https://alerts.example/hook; a password goes into the header authorization.`
  }
}

/** The server refused the notice, or there was none. */
export class WebhookRefused extends Schema.TaggedError<WebhookRefused>()("WebhookRefused", {
  origin: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `Could not deliver an alert to ${this.origin}: ${this.detail}.\nIt is tried again; see that the server is up and takes JSON by POST.`
  }
}

/** A receiver through the `HttpClient` at hand. The header `x-sbx-notice` carries the notice's id. */
export const make = Effect.fnUntraced(function* (
  options: WebhookOptions
): Effect.fn.Return<AlertReceiver, InvalidWebhook, HttpClient.HttpClient> {
  const { headers = {}, name } = options
  const client = HttpClient.withScope(yield* HttpClient.HttpClient)
  // A redirect would make a GET of the POST, and it would be taken for delivered. Clients other than fetch follow none by themselves.
  const given = Option.getOrElse(yield* Effect.serviceOption(FetchHttpClient.RequestInit), () => ({}))
  const init = { ...given, redirect: "manual" as const }
  const url = URL.canParse(options.url) ? new URL(options.url) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "")
    return yield* new InvalidWebhook({ name })
  const refused = (detail: string) => Effect.fail(new WebhookRefused({ origin: url.origin, detail }))
  return {
    name,
    deliver: (notice) =>
      HttpClientRequest.post(url.href).pipe(
        HttpClientRequest.setHeaders({ ...headers, "x-sbx-notice": notice.id }),
        HttpClientRequest.bodyJsonUnsafe(toJson(notice)),
        client.execute,
        Effect.catchTag("HttpClientError", (error) => refused(error.reason._tag)),
        Effect.flatMap(({ status }) => (status >= 200 && status < 300 ? Effect.void : refused(`status ${status}`))),
        // The body is nobody's: with the scope the connection goes, however much is still to come.
        Effect.scoped,
        Effect.provideService(FetchHttpClient.RequestInit, init)
      )
  }
})
