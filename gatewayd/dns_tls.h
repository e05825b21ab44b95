/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Certificates of DNS over TLS: read here, where files may be read, and handed to dnsd as memfds. */
#pragma once

#include "gatewayd/lists.h"
#include "policy/document.h"

struct engine;

enum { DNS_TLS_CERTIFICATE = 0, DNS_TLS_KEY, DNS_TLS_FILES };

struct dns_cert {
	const struct doc_cert *doc;
	int fds[DNS_TLS_FILES];			/* sealed memfds of what is in force; -1: nothing is */
	struct list_stamp taken[DNS_TLS_FILES]; /* of the files that were last tried */
	struct list_stamp seen[DNS_TLS_FILES];	/* at the last look */
	int64_t expires_s;			/* of what is in force; 0: not known */
	struct err error;			/* why the files are not what is in force; .code 0: they are */
};

struct dns_certs {
	struct dns_cert items[DOC_CERTS_MAX];
	uint32_t n;
};

/* Read all. One that is wrong is said in the log and in .error; it has no descriptors then. */
void dns_tls_open(struct dns_certs *c, const struct doc_gateway *g);
void dns_tls_close(struct dns_certs *c);
/* Read those anew that have changed on disk and (unless @at_once) have stopped changing. Wrong ones leave what is in
 * force. Returns a bit for each that is to be sent to dnsd. */
uint32_t dns_tls_look(struct dns_certs *c, bool at_once);
/* Send those of @which to dnsd. 0, or negative as ipc_send(). */
int dns_tls_send(const struct dns_certs *c, uint32_t which, int fd, struct err *e);
/* dns_tls_look(), and what came of it to the dnsd that runs. */
void dns_tls_refresh(struct engine *e, bool at_once);
