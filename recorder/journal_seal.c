/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sealed bodies: journal.c pushes, cli/flows.c pulls with the owner's key.
 *
 * One stream a segment and a start of the recorder: what a removed segment or a restart takes with it is one stream. A
 * message can be opened only after all before it in its stream, so after an altered record the rest of that stream
 * stays closed; the chain says which record it was. */
#include "recorder/journal_seal.h"

int journal_key_parse(const char *text, uint8_t ret[crypto_box_PUBLICKEYBYTES])
{
	const char *blanks = " \t\r\n";
	uint8_t key[crypto_box_PUBLICKEYBYTES];
	size_t start = strspn(text, blanks), len = strcspn(text + start, blanks), n = 0;
	int r = -1;

	if (text[start + len + strspn(text + start + len, blanks)] != '\0')
		return -EINVAL;
	if (len == 2 * sizeof(key))
		r = sodium_hex2bin(key, sizeof(key), text + start, len, NULL, &n, NULL);
	else if (len == sodium_base64_encoded_len(sizeof(key), sodium_base64_VARIANT_ORIGINAL) - 1)
		r = sodium_base642bin(key, sizeof(key), text + start, len, NULL, &n, NULL,
				      sodium_base64_VARIANT_ORIGINAL);
	if (r == 0 && n == sizeof(key))
		memcpy(ret, key, sizeof(key));
	else
		r = -EINVAL;
	sodium_memzero(key, sizeof(key));
	return r;
}

struct seal_ad {
	uint8_t bytes[9];
};

static struct seal_ad seal_ad(uint8_t type, uint64_t time_us)
{
	struct seal_ad ad;
	struct wcur c = wcur_over(ad.bytes, sizeof(ad.bytes));

	wcur_u8(&c, type);
	wcur_be64(&c, time_us);
	return ad;
}

int journal_sealer_start(struct journal_sealer *s, const uint8_t public_key[crypto_box_PUBLICKEYBYTES],
			 uint8_t ret_body[JOURNAL_KEY_BODY_LEN])
{
	uint8_t key[crypto_secretstream_xchacha20poly1305_KEYBYTES];
	int r;

	crypto_secretstream_xchacha20poly1305_keygen(key);
	r = crypto_box_seal(ret_body, key, sizeof(key), public_key);
	if (r == 0)
		r = crypto_secretstream_xchacha20poly1305_init_push(&s->stream,
								    ret_body + crypto_box_SEALBYTES + sizeof(key), key);
	sodium_memzero(key, sizeof(key));
	return r == 0 ? 0 : -EINVAL;
}

int journal_sealer_push(struct journal_sealer *s, uint8_t type, uint64_t time_us, const void *body, size_t len,
			uint8_t *ret)
{
	struct seal_ad ad = seal_ad(type, time_us);
	int r = crypto_secretstream_xchacha20poly1305_push(&s->stream, ret, NULL, body, len, ad.bytes, sizeof(ad.bytes),
							   crypto_secretstream_xchacha20poly1305_TAG_MESSAGE);

	return r == 0 ? 0 : -EINVAL;
}

int journal_unsealer_init(struct journal_unsealer *u, const uint8_t secret_key[crypto_box_SECRETKEYBYTES])
{
	memset(u, 0, sizeof(*u));
	memcpy(u->secret_key, secret_key, sizeof(u->secret_key));
	return crypto_scalarmult_base(u->public_key, u->secret_key) == 0 ? 0 : -EINVAL;
}

void journal_unsealer_done(struct journal_unsealer *u)
{
	sodium_memzero(u, sizeof(*u));
}

static int key_pull(struct journal_unsealer *u, const struct journal_record *rec)
{
	uint8_t key[crypto_secretstream_xchacha20poly1305_KEYBYTES];
	const uint8_t *header = rec->body + crypto_box_SEALBYTES + sizeof(key);
	int r;

	u->open = false;
	if (rec->len != JOURNAL_KEY_BODY_LEN)
		return -EBADMSG;
	r = crypto_box_seal_open(key, rec->body, crypto_box_SEALBYTES + sizeof(key), u->public_key, u->secret_key);
	if (r == 0)
		r = crypto_secretstream_xchacha20poly1305_init_pull(&u->stream, header, key);
	sodium_memzero(key, sizeof(key));
	u->open = r == 0;
	return r == 0 ? 0 : -EBADMSG;
}

int journal_unsealer_pull(struct journal_unsealer *u, struct journal_record *rec)
{
	struct seal_ad ad = seal_ad(rec->type, rec->time_us);
	unsigned char tag;

	if (rec->type == JOURNAL_KEY)
		return key_pull(u, rec);
	if ((rec->type & JOURNAL_SEALED) == 0)
		return 0;
	if (!u->open || rec->len < JOURNAL_SEAL_EXTRA || rec->len > sizeof(u->plain))
		return -EBADMSG;
	if (crypto_secretstream_xchacha20poly1305_pull(&u->stream, u->plain, NULL, &tag, rec->body, rec->len, ad.bytes,
						       sizeof(ad.bytes)) != 0) {
		u->open = false;
		return -EBADMSG;
	}
	rec->type &= (uint8_t)~JOURNAL_SEALED;
	rec->body = u->plain;
	rec->len -= JOURNAL_SEAL_EXTRA;
	return 0;
}
