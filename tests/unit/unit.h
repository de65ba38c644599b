/* SPDX-License-Identifier: Apache-2.0 */
/* cmocka with the includes it wants in their order. Only unit tests include this. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
