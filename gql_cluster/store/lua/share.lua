-- Gives a draft a nonce for its links, unless it has one; replies with the one that it has then.
-- ARGV: nonce
local refusal = refused()
if refusal then return refusal end
local nonce = redis.call('HGET', META, 'share')
if not nonce or nonce == '' then
  nonce = ARGV[1]
  redis.call('HSET', META, 'share', nonce)
end
return {'shared', nonce}
