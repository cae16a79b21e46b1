// A bot of discord.js that logs in and does nothing: node discordjs.mjs PACKAGES PORT, where PACKAGES has node_modules.
import { createRequire } from 'node:module'

const [packages, port] = process.argv.slice(2)
const { Client, GatewayIntentBits } = createRequire(`${packages}/`)('discord.js')
const client = new Client({ intents: [GatewayIntentBits.Guilds], rest: { api: `http://127.0.0.1:${port}/api` } })
client.on('error', error => {
  console.error(error)
  process.exit(1)
})
await client.login('MTIz.token.secret')
