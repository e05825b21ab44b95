/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Bodies that the gateway can write but not read back: XChaCha20-Poly1305 streams (libsodium's secretstream), the key
 * of each sealed to the owner's X25519 public key and otherwise only in the recorder's memory.
 *
 * Body of a KEY record: crypto_box_seal(stream key), stream header. Each sealed body is one message of the stream; the
 * record's type and time are authenticated with it. */
#pragma once

#include "recorder/journal.h"

#include <sodium.h>

#define JOURNAL_SEAL_EXTRA crypto_secretstream_xchacha20poly1305_ABYTES
#define JOURNAL_KEY_BODY_LEN                                                                                           \
	(crypto_box_SEALBYTES + crypto_secretstream_xchacha20poly1305_KEYBYTES +                                       \
	 crypto_secretstream_xchacha20poly1305_HEADERBYTES)

/* A key of 32 bytes in hex or base64 (as `wg genkey` and `wg pubkey` print them), blanks around it. 0 or -EINVAL. */
int journal_key_parse(const char *text, uint8_t ret[crypto_box_PUBLICKEYBYTES]);

struct journal_sealer {
	crypto_secretstream_xchacha20poly1305_state stream;
};

/* A new stream; @ret_body is that of the KEY record which must precede what it seals. */
int journal_sealer_start(struct journal_sealer *s, const uint8_t public_key[crypto_box_PUBLICKEYBYTES],
			 uint8_t ret_body[JOURNAL_KEY_BODY_LEN]);
/* @ret holds len + JOURNAL_SEAL_EXTRA bytes. @type with JOURNAL_SEALED. */
int journal_sealer_push(struct journal_sealer *s, uint8_t type, uint64_t time_us, const void *body, size_t len,
			uint8_t *ret);

struct journal_unsealer {
	uint8_t public_key[crypto_box_PUBLICKEYBYTES], secret_key[crypto_box_SECRETKEYBYTES];
	crypto_secretstream_xchacha20poly1305_state stream;
	bool open;
	uint8_t plain[JOURNAL_BODY_MAX];
};

int journal_unsealer_init(struct journal_unsealer *u, const uint8_t secret_key[crypto_box_SECRETKEYBYTES]);
void journal_unsealer_done(struct journal_unsealer *u); /* wipe */
/* Each record of the journal in order: KEY records open a stream, sealed ones are replaced by what is in them (body
 * borrowed until the next call). 0; -EBADMSG: not sealed to this key, or a record before it is missing. */
int journal_unsealer_pull(struct journal_unsealer *u, struct journal_record *rec);
