/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What rules/embed.py makes. For catalogue.c alone. */
#pragma once

#include "policy/catalogue.h"

extern const struct catalogue_entry catalogue_service_table[];
extern const uint32_t catalogue_service_table_n;
extern const struct catalogue_entry catalogue_engine_table[];
extern const uint32_t catalogue_engine_table_n;
extern const char catalogue_safe_search[]; /* of all engines */
