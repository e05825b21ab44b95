/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Types of DNS records by name. */
#pragma once

#include <stdint.h>

#define DNS_TYPE_SVCB  64u /* RFC 9460 14.1 */
#define DNS_TYPE_HTTPS 65u

/* "A", "https", "TYPE65"; 0: none. */
uint16_t dns_type_parse(const char *text);
