#define CHECKED_SET "neon"
#include "kernel_checks.h"
