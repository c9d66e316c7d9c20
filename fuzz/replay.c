/* Runs a harness over the files of the directories named: a corpus as an ordinary test. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input lies in a block of just its size, so that a read beyond it is seen. */
static int replay_file(const char *path, size_t size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(size ? size : 1);
    int is_read = file && data && fread(data, 1, size, file) == size;
    if (file) fclose(file);
    if (is_read) LLVMFuzzerTestOneInput(data, size);
    free(data);
    return is_read;
}

/* Inputs of one directory; 0 when it is missing, empty or holds a file that cannot be read. */
static size_t replay_directory(const char *directory)
{
    DIR *entries = opendir(directory);
    if (!entries) return 0;
    size_t count = 0;
    int is_fine = 1;
    for (struct dirent *entry; is_fine && (entry = readdir(entries));) {
        char path[4096];
        struct stat about;
        int length = snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        is_fine = length < (int)sizeof path && stat(path, &about) == 0;
        if (!is_fine || !S_ISREG(about.st_mode)) continue;
        is_fine = replay_file(path, (size_t)about.st_size);
        count++;
    }
    closedir(entries);
    return is_fine ? count : 0;
}

int main(int argc, char **argv)
{
    size_t total = 0;
    for (int i = 1; i < argc; i++) {
        size_t count = replay_directory(argv[i]);
        if (count == 0) {
            fprintf(stderr, "%s: no inputs\n", argv[i]);
            return EXIT_FAILURE;
        }
        total += count;
    }
    printf("%zu inputs replayed\n", total);
    return total ? EXIT_SUCCESS : EXIT_FAILURE;
}
