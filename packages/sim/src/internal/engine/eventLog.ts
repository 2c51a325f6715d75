/**
 * The daemon's events: the last 256 are kept for replay, as by moby (daemon/events). Each subscriber has a feed of its own, and meets
 * its faults here: one may miss what another is told twice.
 */
import type { EngineEvent } from "@sbx/engine/Engine"
import type { Connection } from "./feed.ts"
import { Feed } from "./feed.ts"
import type { Container, EventFilter, Subscriber, World } from "./world.ts"
import { matches, tick, toMillis } from "./world.ts"

const kept = 256

/** Only containers and images bear labels to filter by. */
const concerns = (event: EngineEvent, { labels, actions }: EventFilter) =>
  (actions === undefined || actions.includes(event.action)) &&
  (Object.keys(labels).length === 0 ||
    ((event.type === "container" || event.type === "image") && matches(event.attributes, labels)))

const deliver = (world: World, subscriber: Subscriber, event: EngineEvent) => {
  if (world.faults.fires("cut-events", event.action) !== undefined) return subscriber.connection.sever()
  if (world.faults.fires("missed-event", event.action) !== undefined) return
  subscriber.feed.push(event)
  if (world.faults.fires("duplicate-event", event.action) !== undefined) subscriber.feed.push(event)
}

export const publish = (
  world: World,
  told: Omit<EngineEvent, "atMillis" | "timeNano" | "detail"> & { detail?: string }
) => {
  const nanos = tick(world)
  const event: EngineEvent = {
    atMillis: toMillis(nanos),
    timeNano: String(nanos),
    type: told.type,
    action: told.action,
    detail: told.detail,
    actorId: told.actorId,
    attributes: told.attributes
  }
  world.events.push(event)
  if (world.events.length > kept) world.events.shift()
  for (const subscriber of world.subscribers) if (concerns(event, subscriber.filter)) deliver(world, subscriber, event)
}

export const publishContainer = (
  world: World,
  container: Container,
  action: string,
  attributes: Readonly<Record<string, string>> = {},
  detail?: string
) =>
  publish(world, {
    type: "container",
    action,
    ...(detail === undefined ? {} : { detail }),
    actorId: container.id,
    attributes: { ...container.spec.labels, image: container.spec.image, name: container.spec.name, ...attributes }
  })

export const subscribe = (
  world: World,
  connection: Connection,
  filter: EventFilter,
  sinceMillis: number | undefined
): Subscriber => {
  const feed = new Feed<EngineEvent>()
  const subscriber: Subscriber = { filter, feed, connection }
  if (sinceMillis !== undefined) {
    for (const event of world.events) if (event.atMillis >= sinceMillis && concerns(event, filter)) feed.push(event)
  }
  world.subscribers.add(subscriber)
  connection.hold(() => world.subscribers.delete(subscriber))
  return subscriber
}
