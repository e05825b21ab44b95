/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Keyed BLAKE2b (libsodium) cut to eight bytes, with one byte in front that separates the uses. Called by recorder.c.
 *
 * The address space is small: without a key anybody could try all of IPv4 against a pseudonym. Who has the key file
 * can; who deletes it makes the pseudonyms of the past final. */
#include "recorder/pseudonym.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>

enum pseudonym_use { USE_NAME = 'n', USE_ADDR = 'a', USE_FLOW = 'f' };

static_assert(FLOW_PSEUDONYM_LEN < crypto_generichash_BYTES_MIN, "cut from the shortest hash");

static int key_read(int fd, uint8_t key[PSEUDONYM_KEY_LEN])
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return -errno;
	if (st.st_size != PSEUDONYM_KEY_LEN)
		return 0;
	return pread(fd, key, PSEUDONYM_KEY_LEN, 0) == (ssize_t)PSEUDONYM_KEY_LEN ? 1 : -EIO;
}

static int key_draw(int fd, uint8_t key[PSEUDONYM_KEY_LEN])
{
	randombytes_buf(key, PSEUDONYM_KEY_LEN);
	if (ftruncate(fd, 0) == -1)
		return -errno;
	if (pwrite(fd, key, PSEUDONYM_KEY_LEN, 0) != (ssize_t)PSEUDONYM_KEY_LEN)
		return errno != 0 ? -errno : -EIO;
	return fsync(fd) == -1 ? -errno : 0;
}

int pseudonym_init(struct pseudonym *p, int dir_fd, bool *ret_new, struct err *e)
{
	CLEANUP(fd_closep) int fd = -1;
	int r;

	fd = openat(dir_fd, PSEUDONYM_KEY_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd == -1)
		return err_set(e, -errno, "open %s: %s", PSEUDONYM_KEY_FILE, strerror(errno));
	r = key_read(fd, p->key);
	if (ret_new != NULL)
		*ret_new = r == 0;
	/* Of a wrong length: the machine stopped while it was written, nothing was made with it. */
	if (r == 0)
		r = key_draw(fd, p->key);
	if (r < 0) {
		pseudonym_done(p);
		return err_set(e, r, "%s: %s", PSEUDONYM_KEY_FILE, strerror(-r));
	}
	return 0;
}

void pseudonym_done(struct pseudonym *p)
{
	sodium_memzero(p->key, sizeof(p->key));
}

static void keyed(const struct pseudonym *p, enum pseudonym_use use, const void *in, size_t len,
		  uint8_t ret[FLOW_PSEUDONYM_LEN])
{
	uint8_t out[crypto_generichash_BYTES_MIN], first = (uint8_t)use;
	crypto_generichash_state st;

	(void)crypto_generichash_init(&st, p->key, sizeof(p->key), sizeof(out));
	(void)crypto_generichash_update(&st, &first, 1);
	(void)crypto_generichash_update(&st, in, len);
	(void)crypto_generichash_final(&st, out, sizeof(out));
	memcpy(ret, out, FLOW_PSEUDONYM_LEN);
}

void pseudonym_name(const struct pseudonym *p, const char *name, char ret[PSEUDONYM_TEXT_MAX])
{
	uint8_t out[FLOW_PSEUDONYM_LEN];

	keyed(p, USE_NAME, name, strlen(name), out);
	ret[0] = 'p';
	ret[1] = '-';
	(void)sodium_bin2hex(ret + 2, PSEUDONYM_TEXT_MAX - 2, out, sizeof(out));
}

struct ip_addr pseudonym_addr(const struct pseudonym *p, const struct ip_addr *a)
{
	struct ip_addr ret = { .family = FLOW_ADDR_PSEUDONYM };

	keyed(p, USE_ADDR, a, sizeof(*a), ret.bytes);
	return ret;
}

uint64_t pseudonym_flow_id(const struct pseudonym *p, const struct flow_event *ev)
{
	uint8_t in[64], out[FLOW_PSEUDONYM_LEN];
	struct wcur w = wcur_over(in, sizeof(in));
	struct rcur r;

	wcur_be32(&w, ev->ct_id);
	wcur_bytes(&w, &ev->orig.src, sizeof(ev->orig.src));
	wcur_bytes(&w, &ev->orig.dst, sizeof(ev->orig.dst));
	wcur_u8(&w, ev->orig.proto);
	wcur_be16(&w, ev->orig.src_port);
	wcur_be16(&w, ev->orig.dst_port);
	keyed(p, USE_FLOW, in, wcur_len(&w), out);
	r = rcur_over(out, sizeof(out));
	return rcur_be64(&r);
}
