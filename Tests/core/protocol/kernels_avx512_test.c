#define CHECKED_SET "avx512"
#include "kernel_checks.h"
