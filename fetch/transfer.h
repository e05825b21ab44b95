/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One download: what it may do, and what came of it. */
#pragma once

#include "base/err.h"
#include "sluice/msg.h"

#include <curl/curl.h>
#include <sodium.h>

/* A server that does not answer, or hangs, is not waited for. */
#define FETCH_CONNECT_S 20L
/* Slower than this for so long: it is not coming. */
#define FETCH_SLOW_BYTES 1000L
#define FETCH_SLOW_S	 30L
/* 256 MB in it are 2.4 Mbit/s. */
#define FETCH_TOTAL_S 900L
/* github.com to its content server is one; more than five are a loop, or somebody's game. */
#define FETCH_REDIRECTS_MAX 5L
/* Of the text, to tell a page from a list. */
#define FETCH_HEAD_MAX 256u

struct transfer {
	struct msg_fetch_want want;
	struct msg_fetch_result result;
	int fd;	    /* the file */
	CURL *easy; /* NULL: not begun, or done */
	struct curl_slist *headers;
	crypto_hash_sha256_state hash;
	char head[FETCH_HEAD_MAX];
	uint32_t head_len;
	bool public_first, connected; /* the first server had a public address; there was one */
	char why[160];		      /* we broke it off ourselves */
	char curl_error[CURL_ERROR_SIZE];
};

/* Make its curl handle, ready for curl_multi_add_handle(). @t is the handle's private pointer and must not move. */
int transfer_begin(struct transfer *t, const char *ca_file, struct err *e);
/* It has ended so: .result is filled in, the file is on the disk, the handle gone. */
void transfer_end(struct transfer *t, CURLcode code);
/* What it holds but its place. */
void transfer_done(struct transfer *t);

/* Pure: the text begins as a page of HTML or XML does: an error page, or a login. */
bool transfer_is_page(const char *head, size_t len);
