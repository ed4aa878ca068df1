// biome-ignore-all lint/style/useFilenamingConvention: a task's file is named as the task
import { z } from 'zod';
import { PermanentError, type TaskDeclaration } from '../src/engine/index.ts';
import { declareTask } from './kit/declaration.ts';
import { createLineWriter, FileNotWrittenError, fileNameFault } from './kit/line-writer.ts';

const paramsSchema = z
  .strictObject({
    file: z.string().meta({ description: 'Path of the file, relative to the output folder; missing folders are created.' }),
  })
  .meta({ examples: [{ file: 'orders/accepted.ndjson' }] });

/** `outputDir` is the only folder that is written to; whoever writes a definition chooses names inside it and cannot leave it. */
export function fileAppend({ outputDir }: { outputDir: string }): TaskDeclaration {
  const writer = createLineWriter(outputDir);
  return declareTask({
    name: 'file_append',
    description:
      'Appends the value to a file in `OUTPUT_DIR` as one line of JSON and returns it unchanged. An item that runs again, for example after a crash, is appended again.',
    params: paramsSchema,
    check({ file }) {
      const message = fileNameFault(file);
      return message === undefined ? [] : [{ path: '/file', message }];
    },
    prepare({ file }) {
      return async (value, { logger, stage, itemId }) => {
        const line = toLine(value);
        try {
          await writer.append(file, line);
        } catch (error) {
          if (error instanceof FileNotWrittenError) {
            logger.warn({ task: 'file_append', stage, item: itemId, cause: error.forLog }, error.message);
          }
          throw error;
        }
        return value;
      };
    },
  });
}

function toLine(value: unknown): string {
  try {
    return JSON.stringify(value) ?? 'null';
  } catch (error) {
    // A cycle or a bigint; a retry would find it again.
    throw new PermanentError(`the value cannot be written as JSON: ${(error as Error).message}`);
  }
}
