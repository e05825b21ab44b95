/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Plan to what dnsd works by, as JSON (sent in a memfd, printed by `sluice compile --format views`):
 *
 * {"generation": 41,
 *  "lists": ["ads", "threats"],                      // number = number in the compiled list file
 *  "views": [{"filter": "/dns/filters/0",            // or null
 *             "route": 0,                            // number in "routes"
 *             "lists": [0, 1], "block": ["||x^"], "allow": ["||cdn.example^"],
 *             "blockMode": "null",                   // null | nxdomain | nodata | refused | custom | drop
 *             "blockAddrs": ["192.0.2.1"],           // of custom: one of a family at most
 *             "blockTtl": 60,                        // absent: BLOCK_TTL_S
 *             "blockReason": "filtered",             // censored | filtered; absent: blocked
 *             "safe": [2],                           // lists of safe search; absent: none
 *             "resolveFirst": true, "flows": true, "queries": "full",
 *             "grants": [0, 3], "denies": [1],       // numbers in "rules"
 *             "denyAddrs": [2]}],                    // absent: none
 *  "rules": [{"mark": 4711, "pos": "/grants/0", "line": 9, "names": ["deb.debian.org", "*.github.com"]},
 *            {"mark": 4712, "pos": "/denies/0", "line": 12, "names": [],
 *             "prefixes": ["geo:KP"], "ranges": [["192.0.2.0", "192.0.2.255"]],   // closed to those of denyAddrs
 *             "sets": [[{"prefixes": "geo:DE"}, {"remove": true, "ranges": [...]}, {"set": [...]}]]}],
 *  "clients": [{"addr": "100.64.0.7", "device": "tv", "view": 0}],  // active devices only
 *  "routes": [{"upstreams": [{"kind": "udp",        // recursive | udp | tls
 *                             "addr": "9.9.9.9", "port": 53, "tlsName": "dns.quad9.net"}],
 *              "splits": [{"suffix": "home.arpa", "upstreams": [...]}]}],
 *  "records": [{"name": "nas.home.arpa", "addr": "192.168.1.20", "ttl": 60},   // no ttl: RECORD_TTL_S
 *              {"name": "lab.home.arpa", "below": true,                        // "*.lab.home.arpa"
 *               "type": 16, "data": "0568656c6c6f", "text": "hello"}],         // wire form, in hexadecimal
 *  "domain": "home.arpa",                            // clients are DEVICE.home.arpa; absent: they have no names
 *  "rebindAllow": ["plex.direct"],                   // private addresses are answered at and below these
 *  "canaries": true,                                 // clients are told to use this resolver
 *  "overrides": [{"id": 3, "device": "tv",           // or null: all
 *                 "name": "ads.example", "below": true,             // name null: everything
 *                 "until": 1795740000}]}             // absent: none
 */
#pragma once

#include "base/err.h"
#include "sluice/override.h"
#include "sluice/plan.h"

/* @ret: returned, NUL-terminated, free(). @fallback: the host's upstreams, used where the plan names none. */
int lower_dns(const struct plan *p, const struct plan_upstream *fallback, uint32_t n_fallback, uint64_t generation,
	      char **ret, struct err *e);
/* The same, with what an administrator lets pass for a while. */
int lower_dns_overridden(const struct plan *p, const struct plan_upstream *fallback, uint32_t n_fallback,
			 uint64_t generation, const struct override *overrides, uint32_t n_overrides, char **ret,
			 struct err *e);
