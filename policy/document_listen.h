/* SPDX-License-Identifier: GPL-3.0-or-later */
/* "listen" of "dns" in gateway.hujson. */
#pragma once

#include "policy/reader.h"

/* @dns: the section, read up to its port; the tunnel is read. */
void listen_read(struct doc_reader *r, const struct hj_node *dns, struct doc_gateway *g);
