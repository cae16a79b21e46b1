// Polls the feeds with Node's fetch and npm's feedparser, keeping keys in memory; unchanged measures the second poll.
//   node feeds.cjs cold|unchanged PORT FEEDS FILE EACH
// feedparser is found through NODE_PATH.
const { Readable } = require('node:stream')

let FeedParser
try {
  FeedParser = require('feedparser')
} catch {
  console.error("npm's feedparser is not installed")
  process.exit(77)
}

const [phase, port, feeds, file, each] = process.argv.slice(2)
const AT_ONCE = 32
const keys = new Set()
const marks = new Map()
let next, count

function expect(what, got, wanted) {
  if (got === wanted) return
  console.error(`${what}: ${got}, but ${wanted} were to be done`)
  process.exit(1)
}

function parse(document) {
  return new Promise((resolve, reject) => {
    const entries = []
    const parser = new FeedParser({ addmeta: false })
    parser.on('error', reject).on('end', () => resolve(entries)).on('data', entry => entries.push(entry.guid))
    Readable.from([document]).pipe(parser)
  })
}

async function work() {
  while (next < Number(feeds)) {
    const feed = next++
    const headers = marks.get(feed) ?? {}
    const answer = await fetch(`http://127.0.0.${1 + (feed % 16)}:${port}/${feed}/${file}`, { headers, cache: 'no-store' })
    const document = Buffer.from(await answer.arrayBuffer())
    count.requests++
    if (answer.status === 304) {
      count.unchanged++
      continue
    }
    expect('status', answer.status, 200)
    for (const key of await parse(document)) {
      count.entries++
      keys.add(`${feed} ${key}`)
    }
    marks.set(feed, { 'if-none-match': answer.headers.get('etag'), 'if-modified-since': answer.headers.get('last-modified') })
  }
}

async function poll() {
  next = 0
  count = { requests: 0, unchanged: 0, entries: 0 }
  const cpu = process.cpuUsage()
  const started = performance.now()
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  const used = process.cpuUsage(cpu)
  return {
    wall_s: (performance.now() - started) / 1e3,
    cpu_s: (used.user + used.system) / 1e6,
    peak_kb: process.resourceUsage().maxRSS,
  }
}

async function main() {
  let figures = await poll()
  if (phase === 'unchanged') {
    figures = await poll()
    expect('feeds that did not change', count.unchanged, Number(feeds))
  }
  expect('items', keys.size, feeds * each)
  const line = { work: phase, side: 'npm feedparser', n: Number(feeds), ...figures, count: { items: keys.size, ...count } }
  console.log(JSON.stringify(line))
}

main()
