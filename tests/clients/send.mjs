// Drives Segment's Node client: node send.mjs HOST WRITE_KEY. Prints the errors it met as JSON.
import { Analytics } from '@segment/analytics-node'

const [host, writeKey] = process.argv.slice(2)
const analytics = new Analytics({ writeKey, host, maxRetries: 0 })
const errors = []
analytics.on('error', (error) => errors.push(String(error.code ?? error)))
const anonymousId = 'node-visitor'
analytics.page({ anonymousId, name: 'Home', properties: { url: 'https://shop/' } })
analytics.track({
  anonymousId,
  event: 'Product Added',
  properties: { product_id: 'p1', price: 2.5, quantity: 2 },
  timestamp: new Date(Date.now() - 60_000),
})
analytics.identify({ anonymousId, userId: 'node-shopper', traits: { plan: 'gold' } })
analytics.alias({ previousId: anonymousId, userId: 'node-shopper' })
analytics.screen({ anonymousId, name: 'Cart' })
analytics.group({ userId: 'node-shopper', groupId: 'club' })
analytics.track({ userId: 'node-shopper', event: 'Order Completed', properties: { order_id: 'o1', products: [{ product_id: 'p1' }] } })
await analytics.closeAndFlush()
console.log(JSON.stringify(errors))
