/**
 * The functions that a query may call: they only compute from their arguments. Functions that wait, or that
 * read files, addresses, dictionaries, other tables, settings or the server itself, are excluded; so are `in`
 * and `notIn`, for which a name is a table. Names are spelled as in ClickHouse.
 */
const SCALAR = `
  abs acos asin atan atan2 ceil ceiling cos exp exp2 floor greatest intDiv intDivOrZero least ln log log10 log2 mod modulo
  moduloOrZero negate pow power round roundBankers sign sin sqrt tan trunc truncate plus minus multiply divide isFinite isInfinite
  isNaN gcd lcm
  coalesce if ifNull isNotNull isNull multiIf nullIf assumeNotNull toNullable and or not xor
  equals notEquals less greater lessOrEquals greaterOrEquals
  concat empty notEmpty length lengthUTF8 lower lowerUTF8 upper upperUTF8 reverse reverseUTF8 substring substringUTF8 substr left right
  trim trimLeft trimRight trimBoth ltrim rtrim startsWith endsWith position positionCaseInsensitive positionUTF8 locate
  positionCaseInsensitiveUTF8 replace replaceAll replaceOne replaceRegexpAll replaceRegexpOne match extract extractAll like
  notLike ilike splitByChar splitByString splitByRegexp arrayStringConcat leftPad rightPad format toString hex unhex
  base64Encode base64Decode tryBase64Decode countSubstrings countSubstringsCaseInsensitive hasToken hasTokenCaseInsensitive
  hasAllTokens hasAnyTokens domain domainWithoutWWW protocol path topLevelDomain cutQueryString extractURLParameter
  toInt8 toInt16 toInt32 toInt64 toUInt8 toUInt16 toUInt32 toUInt64 toFloat32 toFloat64 toDecimal32 toDecimal64 toInt64OrNull
  toInt64OrZero toUInt64OrNull toUInt64OrZero toFloat64OrNull toFloat64OrZero toInt32OrNull toInt32OrZero toBool toTypeName
  now now64 today yesterday toDate toDateTime toDateTime64 toDateOrNull toDateTimeOrNull toUnixTimestamp toUnixTimestamp64Milli
  fromUnixTimestamp fromUnixTimestamp64Milli toYear toQuarter toMonth toDayOfMonth toDayOfWeek toDayOfYear toHour toMinute
  toSecond toMillisecond toISOWeek toWeek toYYYYMM toYYYYMMDD toStartOfYear toStartOfQuarter toStartOfMonth toStartOfWeek
  toMonday toStartOfDay toStartOfHour toStartOfMinute toStartOfSecond toStartOfFiveMinutes toStartOfTenMinutes
  toStartOfFifteenMinutes toStartOfInterval toTimeZone date_trunc dateTrunc dateDiff date_diff dateAdd dateSub date_add date_sub
  addYears addMonths addWeeks addDays addHours addMinutes addSeconds subtractYears subtractMonths subtractWeeks subtractDays
  subtractHours subtractMinutes subtractSeconds formatDateTime parseDateTimeBestEffort parseDateTimeBestEffortOrNull
  toIntervalSecond toIntervalMinute toIntervalHour toIntervalDay toIntervalWeek toIntervalMonth age dateName monthName
  array arrayConcat arrayCount arrayDistinct arrayElement arrayExists arrayAll arrayFilter arrayFirst arrayFirstIndex arrayJoin
  arrayLast arrayMap arrayMax arrayMin arrayReverse arraySlice arraySort arrayReverseSort arraySum arrayAvg arrayUniq arrayZip
  has hasAll hasAny indexOf countEqual arrayCompact arrayFlatten arrayIntersect arrayEnumerate arrayCumSum
  tuple tupleElement map mapKeys mapValues mapContains mapContainsKey
  JSONExtractString JSONExtractInt JSONExtractUInt JSONExtractFloat JSONExtractBool JSONExtractRaw JSONHas JSONLength JSONType
  JSONExtractKeys JSONExtractArrayRaw simpleJSONExtractString simpleJSONExtractInt isValidJSON
  cityHash64 sipHash64 xxHash64 MD5 SHA256 formatReadableSize formatReadableQuantity formatReadableTimeDelta bar
  widthBucket bitAnd bitOr bitXor bitNot bitShiftLeft bitShiftRight transform toUUIDOrNull materialize`;

/** They may also be called with the suffix `If`, and over a window. */
const AGGREGATE = `
  count sum avg min max any anyLast argMin argMax uniq uniqExact uniqCombined uniqHLL12 groupArray groupUniqArray groupArraySample
  quantile quantiles quantileExact quantileTDigest quantilesTDigest quantileTiming quantileDeterministic median medianExact
  stddevPop stddevSamp varPop varSamp covarPop corr sumWithOverflow avgWeighted topK entropy skewPop kurtPop
  simpleLinearRegression deltaSum boundingRatio countIf sumIf avgIf minIf maxIf anyIf uniqIf quantileIf quantilesIf`;

const WINDOW =
  "row_number rank dense_rank percent_rank ntile lag lead lagInFrame leadInFrame first_value last_value nth_value";

const words = (text: string): string[] => text.trim().split(/\s+/);

const byLowerCase = new Map<string, string>();
for (const name of [...words(SCALAR), ...words(WINDOW)]) byLowerCase.set(name.toLowerCase(), name);
for (const name of words(AGGREGATE)) {
  byLowerCase.set(name.toLowerCase(), name);
  if (!name.endsWith("If")) byLowerCase.set(`${name.toLowerCase()}if`, `${name}If`);
}

/** Returns ClickHouse's spelling of a function name, ignoring case; undefined if it can't be called. */
export const functionNamed = (name: string): string | undefined => byLowerCase.get(name.toLowerCase());

/** Returns names that begin or end like an unknown one. */
export function similarFunctions(name: string): string[] {
  const wanted = name.toLowerCase();
  const names = [...byLowerCase].filter(
    ([known]) => known.startsWith(wanted.slice(0, 4)) || known.endsWith(wanted.slice(-5)),
  );
  return names.map(([, known]) => known).slice(0, 5);
}
