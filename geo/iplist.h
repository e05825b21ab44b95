/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Address lists as people publish them. */
#pragma once

#include "base/err.h"
#include "sluice/addr.h"

#define IPLIST_LINES_MAX   1000000u    /* the largest in use have a tenth of it */
#define IPLIST_BYTES_MAX   (64u << 20) /* that many lines of JSON */
#define IPLIST_REFUSED_MAX 8	       /* line numbers kept: to find what is wrong */

struct iplist {
	struct ip_range *ranges; /* sorted, disjoint; free() */
	uint32_t n;
	uint32_t lines;	  /* that named addresses */
	uint32_t refused; /* that are no comment and could not be read */
	uint32_t refused_lines[IPLIST_REFUSED_MAX];
};

/* -E2BIG: longer than the limits; -EBADMSG: there is something in it, and no address; -ENOMEM. */
int iplist_parse(const char *text, size_t len, struct iplist *ret, struct err *e);
/* The same of an open file, from its beginning; -E2BIG also for what is no file. */
int iplist_read_fd(int fd, struct iplist *ret, struct err *e);
/* The same of a file. Also -ENOENT and other errors of open(). */
int iplist_read(const char *path, struct iplist *ret, struct err *e);
