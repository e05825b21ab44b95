/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Two files that belong together are written one after the other: what does not fit is tried again when either changes,
 * and the old pair stays in force until then. */
#include "gatewayd/dns_tls.h"

#include "base/ipc.h"
#include "base/log.h"
#include "base/tls_cert.h"
#include "gatewayd/engine.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/ssl.h>
#include <time.h>

static const char *path_of(const struct dns_cert *c, int file)
{
	return file == DNS_TLS_CERTIFICATE ? c->doc->certificate : c->doc->key;
}

static struct list_stamp stamp_of(const struct stat *st)
{
	return (struct list_stamp){ .dev = st->st_dev, .ino = st->st_ino, .size = st->st_size, .mtime = st->st_mtim };
}

static void stamps_read(const struct dns_cert *c, struct list_stamp ret[DNS_TLS_FILES])
{
	struct stat st;

	for (int i = 0; i < DNS_TLS_FILES; i++)
		ret[i] = stat(path_of(c, i), &st) == 0 ? stamp_of(&st) : (struct list_stamp){ 0 };
}

static bool stamps_same(const struct list_stamp a[DNS_TLS_FILES], const struct list_stamp b[DNS_TLS_FILES])
{
	return list_stamp_same(&a[0], &b[0]) && list_stamp_same(&a[1], &b[1]);
}

/* @buf: TLS_PEM_MAX bytes. */
static int file_read(const char *path, uint8_t *buf, size_t *ret_len, struct list_stamp *ret_stamp, struct err *e)
{
	CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	size_t len = 0;
	ssize_t n = 1;

	*ret_stamp = (struct list_stamp){ 0 };
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(e, -errno, "%s: %s", path, strerror(errno));
	*ret_stamp = stamp_of(&st);
	if (!S_ISREG(st.st_mode) || st.st_size > TLS_PEM_MAX)
		return err_set(e, -EBADMSG, "%s: no file of up to %u bytes", path, TLS_PEM_MAX);
	while (len < TLS_PEM_MAX && n > 0) {
		n = read(fd, buf + len, TLS_PEM_MAX - len);
		if (n < 0)
			return err_set(e, -errno, "%s: %s", path, strerror(errno));
		len += (size_t)n;
	}
	*ret_len = len;
	return 0;
}

static int pair_try(const struct dns_cert *c, const struct tls_pem *pem, int64_t *ret_expires_s, struct err *e)
{
	struct err why = { 0 };
	SSL_CTX *ctx = NULL;
	int r = tls_cert_new(pem, &ctx, &why);

	if (r < 0)
		return err_set(e, r, "%s with %s: %s", c->doc->certificate, c->doc->key, why.msg);
	*ret_expires_s = tls_cert_expires_s(ctx);
	SSL_CTX_free(ctx);
	return 0;
}

static int pair_read(struct dns_cert *c, uint8_t bufs[DNS_TLS_FILES][TLS_PEM_MAX], struct err *e)
{
	size_t lens[DNS_TLS_FILES] = { 0 };
	int fds[DNS_TLS_FILES] = { -1, -1 };
	int64_t expires_s = 0;
	int r = 0;

	for (int i = 0; i < DNS_TLS_FILES; i++) {
		int one = file_read(path_of(c, i), bufs[i], &lens[i], &c->taken[i], r == 0 ? e : NULL);

		r = r == 0 ? one : r;
	}
	if (r == 0)
		r = pair_try(c,
			     &(struct tls_pem){ .certificate = bufs[0],
						.certificate_len = lens[0],
						.key = bufs[1],
						.key_len = lens[1] },
			     &expires_s, e);
	for (int i = 0; i < DNS_TLS_FILES && r == 0; i++)
		r = memfd_sealed("tls", bufs[i], lens[i], &fds[i], e);
	for (int i = 0; i < DNS_TLS_FILES; i++) {
		if (r == 0) {
			fd_closep(&c->fds[i]);
			c->fds[i] = fd_take(&fds[i]);
		}
		fd_closep(&fds[i]);
	}
	if (r == 0)
		c->expires_s = expires_s;
	return r;
}

static void told(const struct dns_cert *c)
{
	char until[32] = "?";
	time_t at = (time_t)c->expires_s;
	struct tm tm;

	if (c->error.code != 0) {
		log_event(LOG_ERR, "tls.failed", "in_force=%s error=\"%s\"", c->fds[0] != -1 ? "old" : "none",
			  c->error.msg);
		return;
	}
	if (gmtime_r(&at, &tm) != NULL)
		(void)strftime(until, sizeof(until), "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (c->expires_s != 0 && c->expires_s <= time(NULL))
		log_event(LOG_WARNING, "tls.expired", "certificate=\"%s\" until=%s", c->doc->certificate, until);
	else
		log_event(LOG_NOTICE, "tls.loaded", "certificate=\"%s\" until=%s", c->doc->certificate, until);
}

static int cert_read(struct dns_cert *c)
{
	uint8_t(*bufs)[TLS_PEM_MAX] = calloc(DNS_TLS_FILES, sizeof(*bufs));
	struct err e = { 0 };
	int r = bufs == NULL ? err_set(&e, -ENOMEM, "TLS: out of memory") : pair_read(c, bufs, &e);

	/* A private key is not left behind in memory that others get. */
	if (bufs != NULL)
		OPENSSL_cleanse(bufs, DNS_TLS_FILES * sizeof(*bufs));
	free(bufs);
	c->error = e;
	c->error.code = r;
	told(c);
	return r;
}

void dns_tls_open(struct dns_certs *c, const struct doc_gateway *g)
{
	c->n = g->n_certs;
	for (uint32_t i = 0; i < c->n; i++) {
		c->items[i] = (struct dns_cert){ .doc = &g->certs[i], .fds = { -1, -1 } };
		stamps_read(&c->items[i], c->items[i].seen);
		(void)cert_read(&c->items[i]);
	}
}

void dns_tls_close(struct dns_certs *c)
{
	for (uint32_t i = 0; i < c->n; i++)
		for (int k = 0; k < DNS_TLS_FILES; k++)
			fd_closep(&c->items[i].fds[k]);
	c->n = 0;
}

uint32_t dns_tls_look(struct dns_certs *c, bool at_once)
{
	uint32_t fresh = 0;

	for (uint32_t i = 0; i < c->n; i++) {
		struct dns_cert *one = &c->items[i];
		struct list_stamp now[DNS_TLS_FILES];
		bool settled;

		stamps_read(one, now);
		settled = at_once || stamps_same(now, one->seen);
		memcpy(one->seen, now, sizeof(now));
		if (settled && !stamps_same(now, one->taken) && cert_read(one) == 0)
			fresh |= 1u << i;
	}
	return fresh;
}

int dns_tls_send(const struct dns_certs *c, uint32_t which, int fd, struct err *e)
{
	int r = 0;

	for (uint32_t i = 0; i < c->n && r == 0; i++) {
		const struct dns_cert *one = &c->items[i];
		struct msg_tls msg = { .number = i + 1 };

		if ((which >> i & 1) == 0 || one->fds[0] == -1)
			continue;
		if (one->doc->name != NULL)
			(void)snprintf(msg.name, sizeof(msg.name), "%s", one->doc->name);
		r = ipc_send(fd, MSG_TLS, &msg, sizeof(msg), one->fds, DNS_TLS_FILES, e);
	}
	return r;
}

void dns_tls_refresh(struct engine *e, bool at_once)
{
	uint32_t fresh = dns_tls_look(&e->certs, at_once);
	int dnsd = supervise_fd(e->children, ROLE_DNSD);
	struct err err = { 0 };

	/* One that starts meanwhile is given them all. */
	if (fresh != 0 && dnsd != -1 && dns_tls_send(&e->certs, fresh, dnsd, &err) < 0)
		supervise_replace(e->children, ROLE_DNSD, "does not take the certificates");
}
