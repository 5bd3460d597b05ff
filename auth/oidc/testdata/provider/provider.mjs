// A certified OpenID Connect provider with one client, whose site is the
// argument. It prints its address, and ends when its standard input does.
import { createServer } from 'node:http'
import Provider from 'oidc-provider'

const site = process.argv[2]
const server = createServer()
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
const issuer = `http://127.0.0.1:${server.address().port}`

const provider = new Provider(issuer, {
  clients: [{
    client_id: 'gate:1',
    client_secret: 'a secret & more',
    redirect_uris: [`${site}/.mountd/oidc/callback`],
    post_logout_redirect_uris: [`${site}/bye`],
    backchannel_logout_uri: `${site}/.mountd/oidc/backchannel`,
    grant_types: ['authorization_code', 'refresh_token'],
  }],
  claims: { openid: ['sub', 'sid'], profile: ['name'], email: ['email', 'email_verified'], groups: ['groups'] },
  scopes: ['openid', 'profile', 'email', 'groups', 'offline_access'],
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, name: `${id} Doe`, email: `${id}@example.com`, email_verified: true, groups: ['staff'] }),
  }),
  features: {
    devInteractions: { enabled: true },
    backchannelLogout: { enabled: true },
    rpInitiatedLogout: { enabled: true },
  },
  pkce: { required: () => true },
  issueRefreshToken: async () => true,
  rotateRefreshToken: true,
  cookies: { keys: ['a key of the tests, for cookies alone'] },
  // The site is on this machine, which the provider would not speak to.
  fetch: (url, options) => fetch(url, { ...options, dispatcher: undefined }),
  ttl: { AccessToken: 60 },
})
provider.on('backchannel.error', (_, error) => console.error(error))
server.on('request', provider.callback())
console.log(issuer)
process.stdin.on('end', () => process.exit(0)).resume()
