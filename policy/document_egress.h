/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gateway.hujson: "egress" and "nat". */
#pragma once

#include "policy/reader.h"

void egress_section_read(struct doc_reader *r, const struct hj_node *root, struct doc_gateway *g);
/* An error unless Linux takes it as the name of an interface. */
void doc_interface_check(struct doc_reader *r, struct span at, const char *name);
