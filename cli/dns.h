/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `sluice dns`: what the subcommands print. */
#pragma once

#include "cli/control.h"

/* Of an answer to {"cmd":"dns","do":"status"}. */
void dns_status_print(const cJSON *a);
/* One line, for `sluice status`: of its member "dns". */
void dns_summary_print(const cJSON *dns);
/* "tls 9.9.9.9 port 853 (dns.quad9.net), for corp.example". @size: of @buf. */
const char *dns_upstream_print(const cJSON *upstream, char *buf, size_t size);

/* Replaces the message in hexadecimal by its parts: "rcode", "ad", "answer" and "authority" in presentation form. */
void dns_lookup_unfold(cJSON *a);
/* Of an unfolded answer to "lookup". */
void dns_lookup_print(const cJSON *a, const char *name, const char *type);
